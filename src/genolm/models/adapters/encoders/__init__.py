"""Checkpoints of GENA-LM, BigBird, ModernGENA and the recurrent memory transformer."""
