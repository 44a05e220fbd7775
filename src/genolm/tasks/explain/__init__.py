"""Reading a model: what its memory writes, what its tables hold, when it makes up its mind, whom it routes where, and
which bases it listens to. Everything stands beside a null."""
