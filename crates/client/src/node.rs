//! A node and its services.

use api::{
    cluster::cluster_service_client::ClusterServiceClient,
    cosi::resource::state_client::StateClient,
    inspect::inspect_service_client::InspectServiceClient,
    machine::{
        image_service_client::ImageServiceClient, machine_service_client::MachineServiceClient,
    },
    time::time_service_client::TimeServiceClient,
};

use crate::connection::{Channel, Connection};

/// The largest message of the contract.
const MESSAGE_LIMIT: usize = 32 << 20;

macro_rules! services {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> $client<Channel> {
            $client::new(self.channel.clone())
                .max_decoding_message_size(MESSAGE_LIMIT)
                .max_encoding_message_size(MESSAGE_LIMIT)
        })*
    };
}

/// One node, with a typed client for each of its services.
#[derive(Clone)]
pub struct Node {
    name: String,
    channel: Channel,
    connection: Connection,
}

impl Node {
    pub(crate) fn new(name: &str, channel: Channel, connection: Connection) -> Self {
        Self { name: name.to_owned(), channel, connection }
    }

    /// The name the user gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whichever node is at the connection's endpoint, under this node's name, for what any node of the control plane
    /// answers.
    pub fn endpoint(&self) -> Self {
        self.connection.local(&self.name)
    }

    /// Another node of the cluster, over the same connection.
    pub fn sibling(&self, name: &str) -> Self {
        self.connection.node(name)
    }

    /// What the typed clients call through.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    services! {
        /// The machine itself.
        machine: MachineServiceClient;
        /// Its resources.
        state: StateClient;
        /// Its container images.
        images: ImageServiceClient;
        /// Its clock.
        time: TimeServiceClient;
        /// Its controllers.
        inspect: InspectServiceClient;
        /// The cluster, as a control plane node sees it.
        cluster: ClusterServiceClient;
    }
}
