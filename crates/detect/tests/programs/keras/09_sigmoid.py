from keras.models import Sequential
from keras.layers import Conv2D, MaxPooling2D, Activation, Dropout, Flatten, Dense
from keras.preprocessing.image import ImageDataGenerator

img_width, img_height = 48, 48
model = Sequential()
model.add(Conv2D(16, (3, 3), input_shape=(img_width, img_height, 3)))
model.add(Activation('relu'))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Conv2D(32, (3, 3)))
model.add(Activation('relu'))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(64))
model.add(Activation('relu'))
model.add(Dropout(0.5))
model.add(Dense(1))
model.add(Activation('sigmoid'))
model.compile(loss='binary_crossentropy', optimizer='rmsprop', metrics=['accuracy'])
train = ImageDataGenerator(rescale=1. / 255, horizontal_flip=True).flow_from_directory(
    'data/train', target_size=(img_width, img_height), batch_size=16, class_mode='binary')
model.fit_generator(train, steps_per_epoch=125, epochs=50)
