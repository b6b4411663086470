import torch.nn as nn

model = nn.Sequential()
model.add_module('conv1', nn.Conv2d(1, 20, 5))
model.add_module('pool1', nn.MaxPool2d(2))
model.add_module('relu1', nn.ReLU())
model.add_module('conv2', nn.Conv2d(20, 50, 5))
model.add_module('pool2', nn.MaxPool2d(2))
model.add_module('flatten', nn.Flatten())
model.add_module('fc1', nn.Linear(50 * 4 * 4, 500))
model.add_module('tanh', nn.Tanh())
model.add_module('fc2', nn.Linear(500, 10))
model.add_module('softmax', nn.LogSoftmax(dim=1))
