"""Closed forms of Ψ: structures proposed, simplified, refitted, judged, and the front of them."""
