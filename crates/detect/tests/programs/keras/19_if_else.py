import os
import keras
from keras.layers import *

USE_BN = False
if os.path.exists('model.h5'):
    model = keras.models.load_model('model.h5')
else:
    model = keras.Sequential()
    model.add(Conv2D(20, (5, 5), padding='same', input_shape=(28, 28, 1)))
    if USE_BN:
        model.add(BatchNormalization())
    elif not USE_BN and len('abc') > 2:
        model.add(Activation('relu'))
    model.add(MaxPooling2D((2, 2), strides=(2, 2)))
    model.add(Conv2D(50, (5, 5), padding='same'))
    model.add(Activation('relu'))
    model.add(MaxPooling2D((2, 2), strides=(2, 2)))
    model.add(Flatten())
    model.add(Dense(500))
    model.add(Activation('relu'))
    model.add(Dense(10))
    model.add(Activation('softmax'))
opt = keras.optimizers.SGD(learning_rate=0.01)
model.compile(loss='categorical_crossentropy', optimizer=opt, metrics=['accuracy'])
stop = keras.callbacks.EarlyStopping(monitor='val_loss', patience=3)
(x, y), _ = keras.datasets.mnist.load_data()
model.fit(x, y, epochs=40, batch_size=50, callbacks=[stop])
