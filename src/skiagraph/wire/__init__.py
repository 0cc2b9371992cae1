"""PS3.18 chapter 8 without a web framework: plain values in, plain values out."""
