"""Networks in plain PyTorch: one decoder, one encoder, and recurrent memory around the encoder."""
