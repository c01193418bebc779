"""Many runs from one command: which there are, and who runs them."""
