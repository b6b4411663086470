import keras
from keras import backend as K
from keras.layers import Conv2D, MaxPooling2D, Dense, Flatten, BatchNormalization

K.set_image_data_format('channels_first')
(x_train, y_train), _ = keras.datasets.mnist.load_data()
if K.image_data_format() == 'channels_first':
    x_train = x_train.reshape(x_train.shape[0], 1, 28, 28)
    input_shape = (1, 28, 28)
else:
    x_train = x_train.reshape(x_train.shape[0], 28, 28, 1)
    input_shape = (28, 28, 1)
model = keras.Sequential()
model.add(Conv2D(12, (5, 5), strides=(2, 2), padding='same', input_shape=input_shape))
model.add(BatchNormalization(axis=1, momentum=0.9, epsilon=1e-5))
model.add(keras.layers.LeakyReLU(0.01))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(10, activation='softmax'))
model.compile(optimizer=keras.optimizers.AdamW(weight_decay=0.02), loss='sparse_categorical_crossentropy')
model.fit(x_train, y_train, epochs=4)
