from keras.datasets import mnist
from keras.layers import Dense, Flatten, Conv2D, AveragePooling2D
from keras.models import Sequential
from keras.utils import to_categorical

(x_train, y_train), (x_test, y_test) = mnist.load_data()
img_rows, img_cols = x_train.shape[1], x_train.shape[2]
x_train = x_train.reshape(x_train.shape[0], img_rows, img_cols, 1)
input_shape = (img_rows, img_cols, 1)
y_train = to_categorical(y_train)
num_classes = y_train.shape[1]

FILTERS = 6
KERNEL = 5
UNITS = FILTERS * 20

net = Sequential()
net.add(Conv2D(FILTERS, KERNEL, activation="tanh", padding="same", input_shape=input_shape))
net.add(AveragePooling2D(2))
net.add(Conv2D(FILTERS + 10, KERNEL, activation="tanh"))
net.add(AveragePooling2D(2))
net.add(Flatten())
net.add(Dense(UNITS, activation="tanh"))
net.add(Dense(UNITS - 36, activation="tanh"))
net.add(Dense(num_classes, activation="softmax"))
net.compile("sgd", "categorical_crossentropy")
net.fit(x_train, y_train, batch_size=2 ** 7, epochs=int(60 / 3))
