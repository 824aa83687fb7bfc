"""Every estimate against problems whose ideal rate is known exactly."""
