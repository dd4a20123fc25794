// Role assignments of one Entra group of people. Readers see everything and change nothing. Operators have in addition
// what approve, reject, stop, resume, drift --fix, restore and forget write. Not here: check, sweep, subscribe and probe,
// which act as the function does and need its rights in storage and Graph. Undo writes to the directory, which only an
// agent does: it runs on the agent's machine, or is asked for by a message in the target's queue, within the limits of
// docs/permissions.md.

@description('Object ID of the group.')
param principalId string

@description('False: readers. True: operators.')
param acts bool

param storageName string

@description('Containers that the group reads.')
param readContainers array

@description('Containers in which operators write, overwrite and delete.')
param writtenContainers array

@description('Containers in which operators only create and read blobs: the trail.')
param createdContainers array

@description('Containers in which operators only delete and read blobs: photos.')
param deletedContainers array

@description('Container in which operators delete saved values, `*.before`, and nothing else.')
param receiptsContainer string

@description('Role that creates blobs without overwriting them. See create-only-role.bicep.')
param createOnlyRoleId string

@description('Role that deletes blobs and writes none. See delete-only-role.bicep.')
param deleteOnlyRoleId string

@description('Role that only deletes blobs. See erase-role.bicep.')
param eraseRoleId string

@description('Queues that operators send to.')
param sentQueues array

@description('Queues that operators empty: dead-lettered messages whose cause is fixed.')
param emptiedQueues array

var roles = {
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  blobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  monitoringReader: '43d0d8ad-25c7-4714-9337-8ba259a9fe05'
  queueDataMessageProcessor: '8a0f0c08-91a1-4084-bc3d-661d67233fed'
  queueDataMessageSender: 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
  queueDataReader: '19e7f393-937e-4f77-808e-94535e297925'
}

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

resource deleted 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = [for container in deletedContainers: {
  name: container
  parent: blobService
}]

resource receipts 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  name: receiptsContainer
  parent: blobService
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' existing = {
  name: 'default'
  parent: storage
}

resource sent 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = [for queue in sentQueues: {
  name: queue
  parent: queueService
}]

resource emptied 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = [for queue in emptiedQueues: {
  name: queue
  parent: queueService
}]

// status, history, export, held, plan, drift and audit verify read every container, photos included.
resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in readContainers: {
  name: guid(storage.id, container, principalId, roles.blobDataReader)
  scope: read[index]
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataReader)
  }
}]

// status and doctor count messages and look at the oldest one, in the poison queues too.
resource counting 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, principalId, roles.queueDataReader)
  scope: storage
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueDataReader)
  }
}

// The workbook, the alerts and the logs. Logs identify users by object ID only.
resource monitoring 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, principalId, roles.monitoringReader)
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringReader)
  }
}

// agents: approve and reject record decisions, stop and resume write and delete the stop switch. state: restore and
// forget move the user's head forward; a wrong head costs a check and harms nothing.
resource writing 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in writtenContainers: if (acts) {
  name: guid(storage.id, container, principalId, roles.blobDataContributor)
  scope: written[index]
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}]

// restore and forget add an entry to the trail. It can change or delete none.
resource creating 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in createdContainers: if (acts) {
  name: guid(storage.id, container, principalId, createOnlyRoleId)
  scope: created[index]
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: createOnlyRoleId
  }
}]

// forget deletes photos. Soft delete keeps them for softDeleteDays.
resource deleting 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in deletedContainers: if (acts) {
  name: guid(storage.id, container, principalId, deleteOnlyRoleId)
  scope: deleted[index]
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: deleteOnlyRoleId
  }
}]

// forget erases the values that agents saved from targets, `*.before`. The condition keeps it from deleting a receipt.
resource erasing 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (acts) {
  name: guid(storage.id, receiptsContainer, principalId, eraseRoleId)
  scope: receipts
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: eraseRoleId
    condition: '((!(ActionMatches{\'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete\'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringLike \'*.before\'))'
    conditionVersion: '2.0'
  }
}

// approve, undo at the console, drift --fix, restore and forget announce users to the agents.
resource sending 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (queue, index) in sentQueues: if (acts) {
  name: guid(storage.id, queue, principalId, roles.queueDataMessageSender)
  scope: sent[index]
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueDataMessageSender)
  }
}]

// docs/runbook.md, poison_not_empty: once the cause is fixed, the messages are deleted.
resource emptying 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (queue, index) in emptiedQueues: if (acts) {
  name: guid(storage.id, queue, principalId, roles.queueDataMessageProcessor)
  scope: emptied[index]
  properties: {
    principalId: principalId
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueDataMessageProcessor)
  }
}]
