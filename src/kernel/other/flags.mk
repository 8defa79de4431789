# flags.mk -- no file of this folder needs flags of its own.
