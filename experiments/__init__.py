"""Studies: compute, plot and main apart. The package never imports them."""
