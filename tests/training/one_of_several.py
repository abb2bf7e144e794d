"""A training as one of several processes: torchrun one_of_several.py KIND CONFIG [key=value ...]."""

import sys

from torch import nn

from signgen.systems.trainings import load_settings, train

if __name__ == "__main__":
    nn.Dropout.forward = lambda self, values: values  # its random numbers depend on the process
    kind, config, *overrides = sys.argv[1:]
    train(kind, load_settings(kind, config, overrides), report=lambda step, values: None)
