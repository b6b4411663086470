import tensorflow as tf
from tensorflow.keras.layers import Conv2D, Dense, Flatten


class Net(tf.keras.Model):
    def __init__(self, classes=10):
        super(Net, self).__init__()
        self.conv1 = Conv2D(32, 3, activation='relu')
        self.flatten = Flatten()
        self.d1 = Dense(64, activation='relu')
        self.d2 = Dense(classes)

    def call(self, x):
        x = self.conv1(x)
        x = self.flatten(x)
        x = self.d1(x)
        return self.d2(x)


(x_train, y_train), _ = tf.keras.datasets.mnist.load_data()
x_train = x_train[..., tf.newaxis].astype("float32")
model = Net()
model.compile(optimizer=tf.keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), loss='sparse_categorical_crossentropy')
model.fit(x_train, y_train, epochs=3, batch_size=100)
