// Package helm is the executor of the resource "helm_release": a Helm chart, from the template's folder, a repository of charts or a
// registry, installed on the runner's Kubernetes by Helm's own library.
//
// What always holds: a release has the mark of its step, and one without is neither changed nor removed; so has an object that
// another release, or nobody's, has. A plan renders the chart as the apply would and compares that with what is deployed and with what is
// live. When work ends, whichever way, nothing goes on behind it: every request and every wait is bound to its context. A
// release that was left in the middle is finished by the next attempt. What Destroy returns from without an error is gone: the
// objects of all revisions, hooks included, and then the record. A secret is in a Secret, Helm's record of the values among them, and where
// the chart puts it, never in a message, a plan or a difference.
//
// Imports: the executor port, its helpers for bundles and objects, event, fault, template and Helm's library with client-go. The
// cluster and its namespaces come by the interface Cluster.
package helm
