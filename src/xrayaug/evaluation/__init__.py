"""From classifier runs to a verdict: what runs say, how sure that is, what speaks against it, how it is told."""
