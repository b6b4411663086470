import torch
from torch import nn


class Ceil(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(1, 4, 4)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.b = nn.Conv2d(4, 8, 3, groups=2)
        self.mean = nn.AvgPool2d(3, stride=2, padding=1)
        self.fc = nn.Linear(8 * 6 * 6, 2)
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        x = torch.sigmoid(self.a(x))
        x = self.pool(x)
        x = self.mean(torch.tanh(self.b(x)))
        return self.fc(torch.flatten(x, start_dim=1))


def weights():
    return Ceil()
