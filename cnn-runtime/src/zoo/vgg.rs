//! VGG: Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition" (2014).

use crate::model;

model! {
    block stage(filters, depth)(x) {
        for _ in 0..depth {
            x = Conv2D(filters, 3, same, relu)(x);
        }
        MaxPooling2D(2)(x)
    }

    block head()(x) {
        x = Flatten()(x);
        for _ in 0..2 {
            x = Dense(4096, relu)(x);
            x = Dropout(0.5)(x);
        }
        Dense(1000, softmax)(x)
    }

    /// Configuration A: 11 layers with weights.
    pub Vgg11 {
        x = Input(224, 224, 3);
        for (filters, depth) in [(64, 1), (128, 1), (256, 2), (512, 2), (512, 2)] {
            x = stage(filters, depth)(x);
        }
        x = head()(x);
    }

    /// Configuration D: 16 layers with weights.
    pub Vgg16 {
        x = Input(224, 224, 3);
        for (filters, depth) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
            x = stage(filters, depth)(x);
        }
        x = head()(x);
    }

    /// Configuration E: 19 layers with weights.
    pub Vgg19 {
        x = Input(224, 224, 3);
        for (filters, depth) in [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)] {
            x = stage(filters, depth)(x);
        }
        x = head()(x);
    }
}
