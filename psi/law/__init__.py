"""What a law is: features, formula, network, clock and file format. numpy alone."""
