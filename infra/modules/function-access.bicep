// Role assignments of the function app's identity, each with its reason. It has no others.

param principalId string
param hostStorageName string
param storageName string
param vaultName string
param insightsName string

@description('Containers that the function writes, lists and reads: photos and its own state.')
param writtenContainers array

@description('Containers in which the function only creates and reads blobs: the trail.')
param createdContainers array

@description('Role that creates blobs without overwriting them. See create-only-role.bicep.')
param createOnlyRoleId string

@description('Containers that only agents write. The function reads receipts and heartbeats.')
param readContainers array

@description('Role that only deletes blobs. See erase-role.bicep.')
param eraseRoleId string

@description('Container with the receipts, and with the values that agents saved from targets.')
param receiptsContainer string

@description('Queues that the function sends to and receives from.')
param workedQueues array

@description('Queues that the function only sends to. Agents receive from them.')
param sentQueues array

var roles = {
  blobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  blobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  queueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  queueDataMessageSender: 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
  queueDataReader: '19e7f393-937e-4f77-808e-94535e297925'
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

resource hostStorage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: hostStorageName
}

resource storage 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' existing = {
  name: 'default'
  parent: storage
}

resource written 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = [for container in writtenContainers: {
  name: container
  parent: blobService
}]

resource created 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = [for container in createdContainers: {
  name: container
  parent: blobService
}]

resource read 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = [for container in readContainers: {
  name: container
  parent: blobService
}]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' existing = {
  name: 'default'
  parent: storage
}

resource worked 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = [for queue in workedQueues: {
  name: queue
  parent: queueService
}]

resource sent 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' existing = [for queue in sentQueues: {
  name: queue
  parent: queueService
}]

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: vaultName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// The host creates its own containers, takes leases in them, and reads the package: Azure requires Owner for this.
resource hosting 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostStorage.id, principalId, roles.blobDataOwner)
  scope: hostStorage
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataOwner)
  }
}

// Creates photos and renditions; overwrites heads and cursors; deletes the photos of forgotten users.
resource writing 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in writtenContainers: {
  name: guid(storage.id, container, principalId, roles.blobDataContributor)
  scope: written[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor)
  }
}]

// Creates entries and checkpoints. Whoever takes over the function can neither change nor delete them, whether or not
// the WORM policy is locked.
resource creating 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in createdContainers: {
  name: guid(storage.id, container, principalId, createOnlyRoleId)
  scope: created[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: createOnlyRoleId
  }
}]

// The sweep compares receipts with entries, and checks the age of the agents' heartbeats.
resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (container, index) in readContainers: {
  name: guid(storage.id, container, principalId, roles.blobDataReader)
  scope: read[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataReader)
  }
}]

// Erases the values that agents saved from targets, `*.before`, when their user is forgotten. The condition keeps it from
// deleting a receipt.
resource receipts 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' existing = {
  name: receiptsContainer
  parent: blobService
}

resource erasing 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, receiptsContainer, principalId, eraseRoleId)
  scope: receipts
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: eraseRoleId
    condition: '((!(ActionMatches{\'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete\'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringLike \'*.before\'))'
    conditionVersion: '2.0'
  }
}

// The trigger receives, renews, releases with a delay (a message write, which Message Processor does not allow),
// deletes, and moves to the poison queue; the webhook and the sweep send.
resource working 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (queue, index) in workedQueues: {
  name: guid(storage.id, queue, principalId, roles.queueDataContributor)
  scope: worked[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueDataContributor)
  }
}]

// Sends write-back messages, and cannot receive or delete them.
resource sending 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for (queue, index) in sentQueues: {
  name: guid(storage.id, queue, principalId, roles.queueDataMessageSender)
  scope: sent[index]
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueDataMessageSender)
  }
}]

// Checks whether queues exist and how long they are, including the agents' poison queues. The scale controller does the
// same.
resource counting 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, principalId, roles.queueDataReader)
  scope: storage
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueDataReader)
  }
}

// Resolves the Key Vault reference to the clientState; cannot list or set secrets.
resource secret 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, roles.keyVaultSecretsUser)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

// Sends logs and requests without a key.
resource telemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, principalId, roles.monitoringMetricsPublisher)
  scope: insights
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
  }
}
