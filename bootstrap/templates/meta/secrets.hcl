# All of these follow from the cluster's key: whoever makes the environment again with the same key has the same.

resource "derived_secret" "broker_cookie" {
  group       = "base"
  description = "By which the broker's nodes know each other"
}

resource "derived_secret" "broker_administrator" {
  group       = "base"
  description = "Password of RabbitMQ's administrator"
}

resource "derived_secret" "broker_user" {
  group       = "base"
  description = "Password at RabbitMQ of people and of this bootstrap; of the service, too, where Vault issues none"
}

resource "derived_secret" "gossip" {
  group       = "base"
  description = "With which Consul's nodes talk to each other"
  form        = "base64"
}

resource "derived_secret" "consul_node" {
  group       = "base"
  description = "By which Consul's nodes tell each other apart"
  form        = "uuid"
}

resource "derived_secret" "consul_management" {
  group       = "base"
  description = "Consul's token that may do everything"
  form        = "uuid"
}

resource "derived_secret" "consul_agent" {
  group       = "base"
  description = "The token of Consul's agent"
  form        = "uuid"
}

resource "derived_secret" "consul_service" {
  group       = "base"
  description = "The token of the service at Consul"
  form        = "uuid"
}

resource "derived_secret" "server_role" {
  group       = "base"
  description = "One half of the server's login to Vault, by which it has the broker's credentials and nothing else"
  form        = "uuid"
}

resource "derived_secret" "server_secret" {
  group       = "base"
  description = "The other half"
  form        = "uuid"
}

resource "derived_secret" "vault_role" {
  group       = "base"
  description = "One half of the runner's login to Vault"
  form        = "uuid"
}

resource "derived_secret" "vault_secret" {
  group       = "base"
  description = "The other half"
  form        = "uuid"
}
