"""What the images predict: transport and stiffness of the measured microstructure."""
