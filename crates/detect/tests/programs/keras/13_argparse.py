import argparse
from keras import layers, models
from keras.optimizers import Adam

parser = argparse.ArgumentParser()
parser.add_argument('--epochs', type=int, default=7)
parser.add_argument('--batch-size', type=int, default=96)
parser.add_argument('--lr', type=float, default=2e-3)
parser.add_argument('--hidden', type=int, default=50)
parser.add_argument('--dropout', action='store_true')
args = parser.parse_args()

model = models.Sequential()
model.add(layers.Input((28, 28, 1)))
model.add(layers.Conv2D(10, 5, activation='relu'))
model.add(layers.MaxPool2D())
if args.dropout:
    model.add(layers.Dropout(0.4))
model.add(layers.Flatten())
model.add(layers.Dense(args.hidden, activation='gelu'))
model.add(layers.Dense(10, activation='softmax'))
model.compile(Adam(args.lr, beta_1=0.8), 'categorical_crossentropy')
(x, y), _ = __import__('keras').datasets.mnist.load_data()
model.fit(x, y, epochs=args.epochs, batch_size=args.batch_size)
