//! Classic architectures as their papers' tables have them, each a declaration to read and a network to train.
//!
//! Their parameters are as many as published; the tests hold them to it.

mod alexnet;
mod densenet;
mod googlenet;
mod inception;
mod lenet;
mod mobilenet;
mod resnet;
mod squeezenet;
mod unet;
mod vgg;
mod xception;

pub use alexnet::AlexNet;
pub use densenet::DenseNet121;
pub use googlenet::GoogLeNet;
pub use inception::InceptionV3;
pub use lenet::LeNet5;
pub use mobilenet::{MobileNet, MobileNetV2};
pub use resnet::{CifarResNet20, CifarResNet32, CifarResNet56, ResNet18, ResNet34, ResNet50};
pub use squeezenet::SqueezeNet;
pub use unet::UNet;
pub use vgg::{Vgg11, Vgg16, Vgg19};
pub use xception::Xception;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;

    #[test]
    fn parameters_are_as_many_as_published() {
        // Weights and biases, then running statistics.
        let published = [
            (LeNet5::GRAPH, 61_706, 0),
            (AlexNet::GRAPH, 61_100_840, 0),
            (Vgg11::GRAPH, 132_863_336, 0),
            (Vgg16::GRAPH, 138_357_544, 0),
            (Vgg19::GRAPH, 143_667_240, 0),
            (ResNet18::GRAPH, 11_689_512, 9_600),
            (ResNet34::GRAPH, 21_797_672, 17_024),
            (ResNet50::GRAPH, 25_557_032, 53_120),
            (CifarResNet20::GRAPH, 269_722, 1_376),
            (GoogLeNet::GRAPH, 6_624_904, 14_560),
            (InceptionV3::GRAPH, 23_817_352, 34_432),
            (MobileNet::GRAPH, 4_231_976, 21_888),
            (MobileNetV2::GRAPH, 3_504_872, 34_112),
            (SqueezeNet::GRAPH, 1_235_496, 0),
            (DenseNet121::GRAPH, 7_978_856, 83_648),
            (Xception::GRAPH, 22_855_952, 54_528),
            (UNet::GRAPH, 31_030_658, 0),
        ];
        for (graph, parameters, statistics) in published {
            assert_eq!(graph.count_params(), parameters, "{}", graph.name);
            assert_eq!(graph.count_trained(), parameters, "{}", graph.name);
            assert_eq!(graph.count_statistics(), statistics, "{}", graph.name);
        }
    }

    #[test]
    fn every_rule_of_the_book_holds_for_every_layer() {
        let deep = [CifarResNet32::GRAPH, CifarResNet56::GRAPH, ResNet50::GRAPH, GoogLeNet::GRAPH, DenseNet121::GRAPH];
        for graph in deep {
            for (index, node) in graph.nodes.iter().enumerate() {
                assert_eq!(graph.inferred(index).unwrap().shape, node.shape, "{} {}", graph.name, node.name);
            }
        }
    }
}
