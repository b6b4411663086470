import torch
from torch import nn

x = torch.randn(1000, 1, 28, 28)
y = torch.randint(0, 10, (1000,))
model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 32), nn.ReLU(), nn.Linear(32, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
for start in range(0, 1000, 50):
    optimizer.zero_grad()
    criterion(model(x[start:start + 50]), y[start:start + 50]).backward()
    optimizer.step()
