"""Study of recurrent memory: a motif in the first segment determines a label that is predicted many segments later."""
