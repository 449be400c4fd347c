// Package kubernetes is the target of the resource "container" that makes a Deployment of it, with a Service, an Ingress
// for what is exposed, a Secret and a ConfigMap for what is put into it, and claims for its volumes.
//
// What always holds: objects are written by server-side apply, and taken over by force only when they carry our
// annotations; an object of somebody else is neither changed nor removed. A secret is in a Secret and nowhere else: not in a
// name, a label or another object. Secrets and ConfigMaps have the hash of what they hold in their name and are never
// changed, so a Deployment that returns to its former revision finds what that was made of. Waiting is watching. What is
// removed is gone, pods included, when Destroy returns without an error.
//
// Imports: container (the block), the executor port, event, fault, secret, and client-go without its typed clients.
package kubernetes
