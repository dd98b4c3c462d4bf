#!/usr/bin/env bash
# by hand, what this does: what a capture needs
set -eu
kubectl version --client
kubectl auth whoami
kubectl auth can-i get pods -n redis || :
kubectl auth can-i get nodes -A || :
kubectl auth can-i list pods -n redis || :
kubectl auth can-i get services -n redis || :
kubectl auth can-i list services -n redis || :
kubectl auth can-i list jobs.batch -n redis || :
kubectl auth can-i list replicationcontrollers -n redis || :
kubectl auth can-i list deployments.apps -n redis || :
kubectl auth can-i list statefulsets.apps -n redis || :
kubectl auth can-i list daemonsets.apps -n redis || :
kubectl auth can-i list replicasets.apps -n redis || :
kubectl auth can-i list cronjobs.batch -n redis || :
kubectl auth can-i list pods -A || :
kubectl auth can-i list nodes -A || :
kubectl auth can-i create pods -n gkeprof || :
kubectl auth can-i get pods -n gkeprof || :
kubectl auth can-i delete pods -n gkeprof || :
kubectl auth can-i list pods -n gkeprof || :
kubectl auth can-i get pods --subresource=log -n gkeprof || :
kubectl auth can-i get pods --subresource=exec -n gkeprof || :
kubectl auth can-i create pods --subresource=exec -n gkeprof || :
kubectl auth can-i list events -n gkeprof || :
kubectl auth can-i get pods --subresource=attach -n gkeprof || :
kubectl auth can-i create pods --subresource=attach -n gkeprof || :
kubectl get namespace gkeprof --show-labels
kubectl get nodes -o wide --show-labels
# conditions, taints, and the room on the disk
kubectl describe nodes
