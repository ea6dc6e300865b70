"""What people's few grades say about a whole pool: prediction-powered inference, with known chances."""
