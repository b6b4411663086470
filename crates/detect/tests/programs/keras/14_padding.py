from keras.models import Sequential
from keras.layers import Conv2D, ZeroPadding2D, MaxPooling2D, AveragePooling2D, Flatten, Dense

model = Sequential([
    ZeroPadding2D(1, input_shape=(32, 32, 3)),
    Conv2D(8, 3, activation='relu'),
    MaxPooling2D(3, strides=2, padding='same'),
    ZeroPadding2D(((0, 1), (0, 1))),
    Conv2D(12, 3, strides=2, activation='relu'),
    ZeroPadding2D((2, 2)),
    Conv2D(12, 3, activation='relu'),
    AveragePooling2D(2),
    Flatten(),
    Dense(4, activation='softmax'),
])
