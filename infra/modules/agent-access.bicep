// Role assignments of the agent of one target. It can read photos and the trail but not write them, so an attacker on
// the agent's machine cannot forge the trail. It receives only from the queue of its own target.

param principalId string
param storageName string
param readContainers array
param writtenContainers array

@description('Containers in which the agent only creates and reads blobs: receipts.')
param createdContainers array

@description('Role that creates blobs without overwriting them. See create-only-role.bicep.')
param createOnlyRoleId string

param queue string

var roles = {
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  blobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  queueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
}
// Its queue, and the poison queue for messages that it cannot handle.
var workedQueues = [
  queue
  '${queue}-poison'
]

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' existing = {
  name: 'default'
  parent: storage
}

resource read 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = [for container in readContainers: {
  name: container
  parent: blobService
}]

resource written 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = [for container in writtenContainers: {
  name: container
  parent: blobService
}]

resource created 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = [for container in createdContainers: {
  name: container
  parent: blobService
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' existing = {
  name: 'default'
  parent: storage
}

resource worked 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = [for name in workedQueues: {
  name: name
  parent: queueService
}]

// Reads entries and the renditions that they refer to.
resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in readContainers: {
  name: guid(storage.id, container, principalId, roles.blobDataReader)
  scope: read[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataReader)
  }
}]

// Writes notes, pending approvals and its heartbeat.
resource writing 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in writtenContainers: {
  name: guid(storage.id, container, principalId, roles.blobDataContributor)
  scope: written[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}]

// Creates receipts and backups of overwritten values, and can neither change nor delete them.
resource creating 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in createdContainers: {
  name: guid(storage.id, container, principalId, createOnlyRoleId)
  scope: created[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: createOnlyRoleId
  }
}]

// Receives messages, renews their leases and postpones them (message writes), deletes them, and dead-letters them.
resource working 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (name, index) in workedQueues: {
  name: guid(storage.id, name, principalId, roles.queueDataContributor)
  scope: worked[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueDataContributor)
  }
}]
