// Package deployments tests what is in the folder of that name: files are read by the libraries of those who will read them, all settings in
// them are settings that there are, and what can run here does.
package deployments
