from tensorflow import keras
from tensorflow.keras import layers, Input, Model

def block(x, filters):
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    return layers.MaxPooling2D()(x)

inputs = Input(shape=(32, 32, 3))
x = inputs
for filters in [16, 32]:
    x = block(x, filters)
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dropout(0.3)(x)
outputs = layers.Dense(10, activation="softmax")(x)
model = Model(inputs, outputs)
model.compile(optimizer=keras.optimizers.Adam(learning_rate=3e-4), loss="sparse_categorical_crossentropy")
(x_train, y_train), _ = keras.datasets.cifar10.load_data()
model.fit(x_train, y_train, epochs=5, batch_size=64, validation_split=0.1)
