// Command terraform-provider-sample is a provider for tests: its one resource is a file, so what is there can be seen, and
// changed behind the provider's back; and it crashes, waits or fails as it is told.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
)

// address is where modules find it: required_providers { sample = { source = "example.test/vivarium/sample" } }.
const address = "example.test/vivarium/sample"

func main() {
	err := providerserver.Serve(context.Background(), func() provider.Provider { return &sample{} }, providerserver.ServeOpts{Address: address})
	if err != nil {
		log.Fatal(err)
	}
}

type sample struct{}

func (*sample) Metadata(_ context.Context, _ provider.MetadataRequest, r *provider.MetadataResponse) {
	r.TypeName, r.Version = "sample", "1.0.0"
}

func (*sample) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (*sample) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}

func (*sample) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (*sample) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return &file{} }}
}
