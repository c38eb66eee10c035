"""A network, a method, a data set, a configuration and a command for vidjax."""
