"""The evaluation of classifier runs: gather what they hold, measure, judge, render."""
