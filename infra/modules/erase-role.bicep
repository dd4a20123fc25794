// A custom role that deletes blobs and does nothing else. Assigned with a condition that names which blobs.

resource eraseOnly 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'photorelay-erase')
  properties: {
    // Unique in the tenant.
    roleName: 'photorelay erase blobs ${uniqueString(resourceGroup().id)}'
    description: 'Deletes blobs.'
    type: 'CustomRole'
    assignableScopes: [
      resourceGroup().id
    ]
    permissions: [
      {
        actions: []
        dataActions: [
          'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete'
        ]
      }
    ]
  }
}

output roleDefinitionId string = eraseOnly.id
