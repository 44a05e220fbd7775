"""Does recurrent memory remember? A motif in the first segment decides a label asked for many segments later."""
