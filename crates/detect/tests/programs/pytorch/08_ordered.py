from collections import OrderedDict
from torch import nn

WIDTH = 12
net = nn.Sequential(OrderedDict([
    ('conv', nn.Conv2d(1, WIDTH, kernel_size=(7, 7), stride=(2, 2), padding=(3, 3))),
    ('act', nn.LeakyReLU()),
    ('pool', nn.MaxPool2d(kernel_size=3, stride=2, padding=1)),
    ('drop', nn.Dropout2d(p=0.1)),
    ('mean', nn.AdaptiveAvgPool2d(1)),
    ('flat', nn.Flatten()),
    ('head', nn.Linear(in_features=WIDTH, out_features=4)),
]))
