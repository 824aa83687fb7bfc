"""What was the best rate: the response surface and the ideal rate."""
