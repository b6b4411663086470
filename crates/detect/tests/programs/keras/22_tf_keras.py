import tf_keras
from tf_keras import layers as L

net = tf_keras.Sequential()
net.add(L.Conv2D(4, (3, 3), 1, "same", activation=tf_keras.activations.relu, input_shape=(16, 16, 1)))
net.add(L.MaxPool2D())
net.add(L.Dropout(0.1))
net.add(L.ReLU())
net.add(L.Flatten())
net.add(L.Dense(units=2, activation="softmax"))
net.compile(loss=tf_keras.losses.CategoricalCrossentropy(label_smoothing=0.1), optimizer=tf_keras.optimizers.Adam())
