"""Files and directories, by descriptors where the path could be swapped."""
