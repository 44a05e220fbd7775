"""Low-rank adapters (LoRA): linear layers with an update, and the files of PEFT."""
