from keras.models import Sequential
from keras.layers import Conv2D, Dense, MaxPooling2D

model = Sequential()
model.add(Conv2D(8, 3, input_shape=(20, 20, 1), activation='relu'))
model.add(MaxPooling2D())
model.add(Dense(3, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer='sgd')
