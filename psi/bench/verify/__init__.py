"""Every estimate of psi.ideal against problems whose answer is known exactly."""
