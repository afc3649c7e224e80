//! Classic architectures as their papers' tables have them, each a declaration to read and a network to train.
//!
//! Their parameters are as many as published; the tests hold them to it.

mod alexnet;
mod densenet;
mod googlenet;
mod lenet;
mod mobilenet;
mod resnet;
mod squeezenet;
mod vgg;

pub use alexnet::AlexNet;
pub use densenet::DenseNet121;
pub use googlenet::GoogLeNet;
pub use lenet::LeNet5;
pub use mobilenet::MobileNet;
pub use resnet::{CifarResNet20, CifarResNet32, CifarResNet56, ResNet18, ResNet34, ResNet50};
pub use squeezenet::SqueezeNet;
pub use vgg::{Vgg11, Vgg16, Vgg19};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;

    #[test]
    fn parameters_are_as_many_as_published() {
        let published = [
            (LeNet5::GRAPH, 61_706),
            (AlexNet::GRAPH, 61_100_840),
            (Vgg11::GRAPH, 132_863_336),
            (Vgg16::GRAPH, 138_357_544),
            (Vgg19::GRAPH, 143_667_240),
            (ResNet18::GRAPH, 11_689_512),
            (ResNet34::GRAPH, 21_797_672),
            (ResNet50::GRAPH, 25_557_032),
            (CifarResNet20::GRAPH, 269_722),
            (GoogLeNet::GRAPH, 6_624_904),
            (MobileNet::GRAPH, 4_231_976),
            (SqueezeNet::GRAPH, 1_235_496),
            (DenseNet121::GRAPH, 7_978_856),
        ];
        for (graph, parameters) in published {
            assert_eq!(graph.count_params(), parameters, "{}", graph.name);
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
