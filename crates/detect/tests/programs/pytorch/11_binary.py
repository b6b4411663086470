import torch
from torch import nn
from torchvision import datasets, transforms
from torch.utils.data import DataLoader

SIDE = 64
tf = transforms.Compose([transforms.Resize((SIDE, SIDE)), transforms.ToTensor()])
data = datasets.ImageFolder('cats_and_dogs/train', transform=tf)
loader = DataLoader(data, batch_size=20, shuffle=True)


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.block1 = self.block(3, 8)
        self.block2 = self.block(8, 16)
        self.fc = nn.Linear(16 * (SIDE // 4) ** 2, 1)

    def block(self, inputs, outputs):
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.SiLU(), nn.MaxPool2d(2))

    def forward(self, x):
        x = self.block2(self.block1(x))
        return torch.sigmoid(self.fc(x.reshape(x.shape[0], -1)))


net = Net()
optimizer = torch.optim.AdamW(net.parameters(), lr=0.0003, betas=(0.9, 0.99))
loss = nn.BCELoss()
