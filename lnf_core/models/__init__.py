"""The models: the latent flow and the LSTM baseline it is compared with."""
