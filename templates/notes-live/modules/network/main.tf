# A network on the runner's Docker daemon. With a registry at hand, this would be docker_network of the Docker provider; the
# command line does the same where no provider can be downloaded. Both commands may be repeated, and leave alone what another
# environment has made.

resource "terraform_data" "network" {
  input = {
    name        = var.name
    environment = var.environment
  }
  triggers_replace = [var.name, var.environment, var.cidr]

  provisioner "local-exec" {
    command = <<-SCRIPT
      set -e
      found=$(docker network ls --quiet --filter "name=^$NAME$" --filter "label=environment=$ENVIRONMENT")
      [ -n "$found" ] ||
      docker network create --label "environment=$ENVIRONMENT" $${CIDR:+--subnet "$CIDR"} "$NAME"
    SCRIPT
    environment = {
      NAME        = self.input.name
      ENVIRONMENT = self.input.environment
      CIDR        = var.cidr
    }
  }

  provisioner "local-exec" {
    when    = destroy
    command = <<-SCRIPT
      set -e
      found=$(docker network ls --quiet --filter "name=^$NAME$" --filter "label=environment=$ENVIRONMENT")
      [ -z "$found" ] || docker network rm "$NAME"
    SCRIPT
    environment = {
      NAME        = self.input.name
      ENVIRONMENT = self.input.environment
    }
  }
}
