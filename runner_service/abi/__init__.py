"""What crosses between an extension and its host: names, types and values, without any engine."""
