"""What the predictor learns from: features of foundation models, and whatever looks longer than one glance."""
